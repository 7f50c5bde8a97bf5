"""Cameras: finding them, onboarding them, keeping their record."""
