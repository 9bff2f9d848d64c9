"""What plugins would provide, for tests that load files without any plugin."""

from orquestador.topology.vocabulary import RoleTerms, Vocabulary

DURATION = {"type": "string", "format": "duration"}

VOCABULARY = Vocabulary(
    roles={
        "monitor": RoleTerms(
            {
                "type": "object",
                "properties": {
                    "ping_every": {**DURATION, "shortest": "10ms", "longest": "8m"},
                    "echo_within": DURATION,
                    "down_after": {"type": "integer", "minimum": 1},
                },
            }
        ),
        "mock": RoleTerms({"type": "object", "properties": {}}, takes_responder=True),
    },
    responders={
        "echo": {"type": "object", "properties": {}},
        "slow": {"type": "object", "properties": {"delay": DURATION}, "required": ["delay"]},
        "flaky": {
            "type": "object",
            "properties": {"share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1}},
        },
    },
    searched=("plugins", "my/plugins"),
)
