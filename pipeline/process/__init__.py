"""What our processes have in common: how they log, die, and treat their memory."""
