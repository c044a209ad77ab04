"""Why a stored forecast and signal are what they are: worked out again from what was known then, and compared."""
