"""Rows for the settings of a job. Labels and help are those of `JobSettings`; a row is named as its field."""
