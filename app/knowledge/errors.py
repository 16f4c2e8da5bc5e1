from app.errors import AppError, Conflict, NotFound, Unavailable


class FileRefused(AppError):
    """This file can't be read. Reading it again won't help: it must be changed first."""

    status = 400


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
    """The file declares XML entities; save it anew with an office program, and upload it again."""


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


class FileMissing(AppError):
    """The server has lost this file; upload it again."""

    status = 410


class IngestionFailed(AppError):
    """Something is wrong with the server or this file; the server's log says more."""


class DocumentNotFound(NotFound):
    """There is no such document."""


class DocumentVersionNotFound(NotFound):
    """There is no such version of this document, or none that is ready."""


class SearchNotFound(NotFound):
    """There is no such search, or it has no hit of this rank."""


class DocumentTaken(Conflict):
    """Another of your documents is this very file."""


class NothingToCancel(Conflict):
    """The newest version isn't on its way any more."""


class NothingToRetry(Conflict):
    """The newest version neither failed nor was it cancelled."""


class DocumentLimitReached(Conflict):
    """You have as many documents as you may have; delete some first."""


class StorageLimitReached(Conflict):
    """Your files are as large as they may be together; delete some documents first."""


class ChunkLimitReached(Conflict):
    """Your documents have as many passages as they may have; delete some documents first."""


class NothingFound(NotFound):
    """Nothing in your documents fits the question."""


class SemanticSearchUnavailable(Unavailable):
    """Passages can't be found by meaning now; a search by keywords answers."""

    retry_after = 10


class AnswersNotConfigured(Unavailable):
    """No language model is configured; set LLM_MODEL and LLM_URL."""

    retry_after = 300


class TooManyWatchers(Unavailable):
    """Too many watch their documents at this moment; ask for the document itself."""

    retry_after = 30


class ReindexDiffers(AppError):
    """The new index stayed different from the database; it was not taken into use. Run it again."""
