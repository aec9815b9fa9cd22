"""A Telegram on this machine: the Bot API methods that the desk uses, Telegram's limits, and the people in the chat."""
