"""`python -m core` is the `munshi` command."""

import sys

from core.cli import main

sys.exit(main())
