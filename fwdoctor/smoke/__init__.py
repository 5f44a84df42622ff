"""Trains MNIST in a framework of the examined environment and proves what happened."""
