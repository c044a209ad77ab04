"""What forecasts were worth, beside what a constant would have got."""
