"""Pure numerics shared by the plugins: numpy and scipy alone."""
