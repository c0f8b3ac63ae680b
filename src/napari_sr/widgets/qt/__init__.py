"""Qt parts that all panels share: base panel, rows, executor, work queues, progress and errors."""
