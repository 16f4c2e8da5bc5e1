-- The full text search of the old database: an index of its own, no data.
CREATE VIRTUAL TABLE document_chunks_fts5 USING fts5(id UNINDEXED, text, document_id UNINDEXED, content='document_chunks', content_rowid='id');
CREATE TRIGGER document_chunks_fts5_insert AFTER INSERT ON document_chunks BEGIN INSERT INTO document_chunks_fts5(rowid, id, text, document_id) VALUES (new.id, new.id, new.text, new.document_id); END;
CREATE TRIGGER document_chunks_fts5_delete AFTER DELETE ON document_chunks BEGIN DELETE FROM document_chunks_fts5 WHERE rowid = old.id; END;
CREATE TRIGGER document_chunks_fts5_update AFTER UPDATE ON document_chunks BEGIN DELETE FROM document_chunks_fts5 WHERE rowid = old.id; INSERT INTO document_chunks_fts5(rowid, id, text, document_id) VALUES (new.id, new.id, new.text, new.document_id); END;
