"""Parameter checks, files, versions and interrupts, used by all packages."""
