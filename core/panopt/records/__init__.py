"""The records every door passes on: judgments, studies, asks and what is concluded of them."""
