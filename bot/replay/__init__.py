"""Old articles through the real stages with simulated time: what would have rung, and what else would with others."""
