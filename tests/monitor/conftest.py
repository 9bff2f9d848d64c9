"""The monitor's own modules are plugins: loading puts their package together."""

from orquestador.hooks import loading

loading.load()
