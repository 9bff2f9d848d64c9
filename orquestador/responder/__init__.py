"""The service's side: a service answers pings, so that a monitor knows that it lives."""
