from app.auth import passwords
from app.db.session import Database
from app.errors import InvalidInput
from app.users import service
from app.users.schemas import UserOut, normalize_login

SHORTEST_PASSWORD = 12


def create_admin(database: Database, login: str, password: str, name: str | None) -> UserOut:
    """Makes an administrator, who belongs to no organization.

    Raises:
        InvalidInput: the login name or the password can't be used.
        LoginTaken: there is a user with this login name.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(f"the password needs at least {SHORTEST_PASSWORD} characters")
    try:
        normalized = normalize_login(login)
    except ValueError as error:
        raise InvalidInput(f"the login name {error}") from error
    password_hash = passwords.make_hash(password)
    with database.begin() as session:
        user = service.create(
            session, login=normalized, password_hash=password_hash, name=name, role="admin"
        )
        return UserOut.model_validate(user)
