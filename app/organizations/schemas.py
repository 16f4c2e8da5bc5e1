from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Standing(BaseModel):
    """Whether an organization's members may do anything; cached."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    is_active: bool
    expires_at: datetime | None
