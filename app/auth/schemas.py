from pydantic import BaseModel, Field, SecretStr

from app.http.fields import Text
from app.users.schemas import Login, Profile


class Registration(Profile):
    login: Login = Field(examples=["alice@school.org"])
    password: SecretStr = Field(min_length=8, max_length=128, examples=["correct horse battery"])
    invitation_code: Text = Field(min_length=4, max_length=50, examples=["DEMO-A1B2C"])


class Credentials(BaseModel):
    login: Login = Field(examples=["alice@school.org"])
    password: SecretStr = Field(max_length=128, examples=["correct horse battery"])
