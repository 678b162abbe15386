"""Expected gradients (SHAP)."""
