from app.errors import AppError


class FileRefused(AppError):
    """This file can't be read. Reading it again won't help: it must be changed first."""

    status = 422


class FileEmpty(FileRefused):
    """The file is empty; check that it was saved, and upload it again."""


class FileUnsupported(FileRefused):
    """Such files can't be read; upload PDF, DOCX, PPTX, XLSX, HTML, Markdown or plain text."""

    status = 415


class FileEncrypted(FileRefused):
    """The file is protected with a password; save it without one, and upload it again."""


class FileDamaged(FileRefused):
    """The file is damaged or incomplete; open it, save it anew, and upload it again."""


class FileHasMacros(FileRefused):
    """The file holds macros; save it as .docx, .pptx or .xlsx without them, and upload that."""


class FileHasEntities(FileRefused):
    """The file declares XML entities, as no office program does; open it in one, save it anew, and
    upload it again."""


class FileUnpacksTooLarge(FileRefused):
    """The file unpacks to too much; make its pictures smaller or split it, and upload it again."""


class FileHasTooManyPages(FileRefused):
    """The file has too many pages; split it, and upload the parts."""


class FileHasTooMuchText(FileRefused):
    """The file has too much text; split it, and upload the parts."""


class FileHasNoText(FileRefused):
    """There is no text in the file; texts in pictures can't be read."""


class FileTakesTooLong(FileRefused):
    """Reading the file takes too long; split it or save it anew, and upload it again."""


class FileTakesTooMuchMemory(FileRefused):
    """Reading the file takes too much memory; split it or save it anew, and upload it again."""


class ExtractionFailed(AppError):
    """The file could not be read this time; try again shortly."""

    status = 503
    retry_after = 60


class ExtractionCancelled(AppError):
    """Reading the file was interrupted; it starts again later."""

    status = 503
    retry_after = 60
