"""Training of the learned rivals at 25 km: the same days, loss, schedule, states and early stopping for all."""
