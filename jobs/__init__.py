"""What happens outside requests: the relay hands jobs to RQ, the worker runs them, the schedule starts them."""
