"""`skin_ultrasound`: synthetic layered skin in high-frequency ultrasound."""
