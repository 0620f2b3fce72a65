"""The admission feed: what a hospital's own system knows of its inpatients, as entrance, zone and exit scans."""
