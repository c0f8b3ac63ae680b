"""Qt parts that all panels share: rows, work in threads, queues of work and progress."""
