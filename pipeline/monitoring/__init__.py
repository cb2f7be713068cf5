"""What operators see of a process: metrics, health, and the addresses that serve them."""
