"""What ``panel serve dashboard`` runs for every visitor: the page that the address asks for."""

from cranpm.dashboard.pages import serve

serve()
