"""Configurations that ship with the library, one YAML file each."""
