from redis import Redis

from app.auth import passwords, sessions
from app.auth.errors import WrongCredentials
from app.auth.schemas import Credentials, Registration
from app.db.session import Database
from app.organizations import service as organizations
from app.settings import Settings
from app.users import service as users
from app.users.schemas import UserOut


def register(database: Database, registration: Registration) -> UserOut:
    """Makes a member of the organization that the invitation code belongs to.

    Raises:
        UnknownInvitation, OrganizationClosed, LoginTaken.
    """
    with database.read() as session:
        organizations.require_by_invitation(session, registration.invitation_code)
    password_hash = passwords.make_hash(registration.password.get_secret_value())
    with database.begin() as session:
        # Again, because the code may have been changed meanwhile.
        organization = organizations.require_by_invitation(session, registration.invitation_code)
        user = users.create(
            session,
            login=registration.login,
            password_hash=password_hash,
            name=registration.name,
            avatar=registration.avatar,
            organization_id=organization.id,
        )
        return UserOut.model_validate(user)


def log_in(
    database: Database, redis: Redis, settings: Settings, credentials: Credentials
) -> tuple[UserOut, str]:
    """Checks the credentials and opens a session.

    Returns:
        The user, and the session's token.

    Raises:
        WrongCredentials, OrganizationClosed, RedisUnavailable.
    """
    with database.read() as session:
        found = users.get_by_login(session, credentials.login)
        password_hash = found.password_hash if found else None
    if not passwords.matches(credentials.password.get_secret_value(), password_hash):
        raise WrongCredentials
    with database.begin() as session:
        user = users.get_by_login(session, credentials.login)
        if user is None:
            raise WrongCredentials
        organizations.require_open(session, user.organization_id)
        users.note_login(session, user)
        shown = UserOut.model_validate(user)
    return shown, sessions.create(redis, settings, shown.id)
