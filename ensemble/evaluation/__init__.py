"""How good the forecasts were, beside what a constant would have done."""
