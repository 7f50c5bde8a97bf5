"""The monthly report of a commune to its mayor: who looked at what and why, gaps, erasures, holds, availability."""
