"""One run of a job: the parts that are left to compute, planes through the network, and their result."""
