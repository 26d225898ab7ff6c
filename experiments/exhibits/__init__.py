"""Parts of the gallery: what each instrument measures of a run, and how it is drawn."""
