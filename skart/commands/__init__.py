"""What the commands do, apart from the terminal: ``skart.cli`` calls them."""
