"""What every package may use: parameter checks, atomic files, versions."""
