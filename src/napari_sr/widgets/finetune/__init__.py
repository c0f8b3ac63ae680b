"""Panel that trains a model on the user's layers, with live validation."""
