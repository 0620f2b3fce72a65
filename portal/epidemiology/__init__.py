"""An epidemiologist's pages: a case by its number, its ranked and explained list, its pictures, its package."""
