"""What everything is measured against: the smallest FastAPI endpoint that reads a body, on the server the product uses.

`python -m tests.bench.reference PORT`.
"""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Body(BaseModel):
    secret: str
    alertType: str  # noqa: N815 - the field's name in the alert
    order_legs: list[dict[str, object]]


@app.post("/webhook")
async def take(body: Body) -> dict[str, str]:
    return {"status": "success", "type": body.alertType}


if __name__ == "__main__":
    config = {"loop": "uvloop", "http": "httptools", "log_level": "warning", "access_log": False, "backlog": 2048}
    uvicorn.run(app, port=int(sys.argv[1]), **config)
