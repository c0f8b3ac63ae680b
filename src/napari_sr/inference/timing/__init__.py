"""The time and memory that a job will take, from the measured speed of this machine."""
