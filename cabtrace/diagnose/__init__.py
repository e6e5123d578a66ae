"""Why a run ended as it did, and where two runs part: pure functions of what was recorded. No model is asked."""
