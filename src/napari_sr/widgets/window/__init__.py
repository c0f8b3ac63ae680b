"""The main window: docks of panels, and its closing."""
