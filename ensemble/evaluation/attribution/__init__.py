"""Why a forecast is what it is: what each feature, session and member had to do with it."""
