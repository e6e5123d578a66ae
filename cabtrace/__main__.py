"""`python -m cabtrace`."""

import sys

from cabtrace.cli.main import main

sys.exit(main())
