"""``python -m thermo`` is the command ``thermo``."""
import sys

from thermo_dc import main

if __name__ == "__main__":
    sys.exit(main())
