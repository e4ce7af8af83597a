"""The learned rivals of the paper's tables: ConvLSTM, SimVP, Earthformer, ClimaX, TopoFlow, all at 25 km."""
