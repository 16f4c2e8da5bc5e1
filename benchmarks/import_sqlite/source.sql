-- The old SQLite database: its 33 tables.
CREATE TABLE organizations (
    id INTEGER NOT NULL,
    code VARCHAR(50) NOT NULL,
    name VARCHAR(200) NOT NULL,
    invitation_code VARCHAR(50),
    created_at DATETIME,
    expires_at DATETIME,
    is_active BOOLEAN,
    PRIMARY KEY (id)
);

CREATE TABLE embeddings (
    id INTEGER NOT NULL,
    model_name VARCHAR(255) NOT NULL,
    provider_name VARCHAR(255) NOT NULL,
    hash VARCHAR(64) NOT NULL,
    embedding BLOB NOT NULL,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_embedding_model_provider_hash UNIQUE (model_name, provider_name, hash)
);

CREATE TABLE dashboard_activities (
    id INTEGER NOT NULL,
    user_id INTEGER,
    user_name VARCHAR(100),
    action VARCHAR(50) NOT NULL,
    diagram_type VARCHAR(50) NOT NULL,
    topic VARCHAR(500),
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE users (
    id INTEGER NOT NULL,
    phone VARCHAR(20) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    name VARCHAR(100),
    organization_id INTEGER,
    avatar VARCHAR(50),
    role VARCHAR(20) NOT NULL,
    failed_login_attempts INTEGER,
    locked_until DATETIME,
    created_at DATETIME,
    last_login DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(organization_id) REFERENCES organizations (id)
);

CREATE TABLE api_keys (
    id INTEGER NOT NULL,
    "key" VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    description VARCHAR,
    quota_limit INTEGER,
    usage_count INTEGER,
    is_active BOOLEAN,
    created_at DATETIME,
    last_used_at DATETIME,
    expires_at DATETIME,
    organization_id INTEGER,
    PRIMARY KEY (id),
    FOREIGN KEY(organization_id) REFERENCES organizations (id)
);

CREATE TABLE update_notifications (
    id INTEGER NOT NULL,
    enabled BOOLEAN,
    version VARCHAR(50),
    title VARCHAR(200),
    message VARCHAR(10000),
    start_date DATETIME,
    end_date DATETIME,
    organization_id INTEGER,
    updated_at DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(organization_id) REFERENCES organizations (id)
);

CREATE TABLE update_notification_dismissed (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    version VARCHAR(50) NOT NULL,
    dismissed_at DATETIME,
    PRIMARY KEY (id),
    CONSTRAINT uq_user_version_dismissed UNIQUE (user_id, version),
    FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE token_usage (
    id INTEGER NOT NULL,
    user_id INTEGER,
    organization_id INTEGER,
    api_key_id INTEGER,
    session_id VARCHAR(100),
    conversation_id VARCHAR(100),
    model_provider VARCHAR(50),
    model_name VARCHAR(100),
    model_alias VARCHAR(50),
    input_tokens INTEGER,
    output_tokens INTEGER,
    total_tokens INTEGER,
    input_cost FLOAT,
    output_cost FLOAT,
    total_cost FLOAT,
    request_type VARCHAR(50),
    diagram_type VARCHAR(50),
    endpoint_path VARCHAR(200),
    success BOOLEAN,
    response_time FLOAT,
    created_at DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id),
    FOREIGN KEY(organization_id) REFERENCES organizations (id),
    FOREIGN KEY(api_key_id) REFERENCES api_keys (id)
);

CREATE TABLE diagrams (
    id VARCHAR(36) NOT NULL,
    user_id INTEGER NOT NULL,
    title VARCHAR(200) NOT NULL,
    diagram_type VARCHAR(50) NOT NULL,
    language VARCHAR(10),
    spec TEXT NOT NULL,
    thumbnail TEXT,
    is_deleted BOOLEAN,
    is_pinned BOOLEAN,
    created_at DATETIME,
    updated_at DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE knowledge_spaces (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    processing_rules JSON,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE TABLE document_batches (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    status VARCHAR(10) NOT NULL,
    total_count INTEGER NOT NULL,
    completed_count INTEGER NOT NULL,
    failed_count INTEGER NOT NULL,
    error_message TEXT,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE TABLE chunk_test_results (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    session_id VARCHAR(36),
    dataset_name VARCHAR(100) NOT NULL,
    document_ids JSON,
    semchunk_chunk_count INTEGER NOT NULL,
    mindchunk_chunk_count INTEGER NOT NULL,
    chunk_stats JSON,
    retrieval_metrics JSON,
    comparison_summary JSON,
    evaluation_results JSON,
    status VARCHAR(10) NOT NULL,
    current_method VARCHAR(50),
    current_stage VARCHAR(50),
    progress_percent INTEGER NOT NULL,
    completed_methods JSON,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE TABLE chunk_test_documents (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    file_name VARCHAR(255) NOT NULL,
    file_path VARCHAR(500) NOT NULL,
    file_type VARCHAR(100) NOT NULL,
    file_size INTEGER NOT NULL,
    status VARCHAR(10) NOT NULL,
    error_message TEXT,
    processing_task_id VARCHAR(255),
    processing_progress VARCHAR(50),
    processing_progress_percent INTEGER NOT NULL,
    chunk_count INTEGER NOT NULL,
    meta_data JSON,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT chk_chunk_test_document_status CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE TABLE debate_sessions (
    id VARCHAR(36) NOT NULL,
    user_id INTEGER NOT NULL,
    topic VARCHAR(500) NOT NULL,
    format VARCHAR(50),
    current_stage VARCHAR(50),
    status VARCHAR(50),
    coin_toss_result VARCHAR(50),
    created_at DATETIME,
    updated_at DATETIME,
    started_at DATETIME,
    completed_at DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE pinned_conversations (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    conversation_id VARCHAR(36) NOT NULL,
    pinned_at DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE shared_diagrams (
    id VARCHAR(36) NOT NULL,
    title VARCHAR(200) NOT NULL,
    description TEXT,
    content_type VARCHAR(50) NOT NULL,
    category VARCHAR(50),
    diagram_data TEXT,
    thumbnail TEXT,
    organization_id INTEGER NOT NULL,
    author_id INTEGER NOT NULL,
    likes_count INTEGER,
    comments_count INTEGER,
    shares_count INTEGER,
    views_count INTEGER,
    is_active BOOLEAN,
    created_at DATETIME,
    updated_at DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(organization_id) REFERENCES organizations (id),
    FOREIGN KEY(author_id) REFERENCES users (id)
);

CREATE TABLE knowledge_documents (
    id INTEGER NOT NULL,
    space_id INTEGER NOT NULL,
    file_name VARCHAR(255) NOT NULL,
    file_path VARCHAR(500) NOT NULL,
    file_type VARCHAR(100) NOT NULL,
    file_size INTEGER NOT NULL,
    status VARCHAR(10) NOT NULL,
    error_message TEXT,
    processing_task_id VARCHAR(255),
    processing_progress VARCHAR(50),
    processing_progress_percent INTEGER NOT NULL,
    chunk_count INTEGER NOT NULL,
    version INTEGER NOT NULL,
    last_updated_hash VARCHAR(64),
    batch_id INTEGER,
    doc_metadata JSON,
    tags JSON,
    category VARCHAR(100),
    custom_fields JSON,
    language VARCHAR(10),
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_space_filename UNIQUE (space_id, file_name),
    CONSTRAINT chk_document_status CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    FOREIGN KEY(space_id) REFERENCES knowledge_spaces (id) ON DELETE CASCADE,
    FOREIGN KEY(batch_id) REFERENCES document_batches (id) ON DELETE SET NULL
);

CREATE TABLE knowledge_queries (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    space_id INTEGER NOT NULL,
    "query" TEXT NOT NULL,
    method VARCHAR(50) NOT NULL,
    top_k INTEGER NOT NULL,
    score_threshold FLOAT NOT NULL,
    result_count INTEGER NOT NULL,
    embedding_ms FLOAT,
    search_ms FLOAT,
    rerank_ms FLOAT,
    total_ms FLOAT,
    source VARCHAR(100) NOT NULL,
    source_context JSON,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY(space_id) REFERENCES knowledge_spaces (id) ON DELETE CASCADE
);

CREATE TABLE query_templates (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    space_id INTEGER,
    name VARCHAR(255) NOT NULL,
    template_text TEXT NOT NULL,
    parameters JSON,
    usage_count INTEGER NOT NULL,
    success_rate FLOAT NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY(space_id) REFERENCES knowledge_spaces (id) ON DELETE CASCADE
);

CREATE TABLE evaluation_datasets (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    space_id INTEGER,
    name VARCHAR(255) NOT NULL,
    description TEXT,
    queries JSON NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY(space_id) REFERENCES knowledge_spaces (id) ON DELETE CASCADE
);

CREATE TABLE chunk_test_document_chunks (
    id INTEGER NOT NULL,
    document_id INTEGER NOT NULL,
    chunk_index INTEGER NOT NULL,
    text TEXT NOT NULL,
    start_char INTEGER NOT NULL,
    end_char INTEGER NOT NULL,
    chunking_method VARCHAR(50),
    meta_data JSON,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(document_id) REFERENCES chunk_test_documents (id) ON DELETE CASCADE
);

CREATE TABLE debate_participants (
    id INTEGER NOT NULL,
    session_id VARCHAR(36) NOT NULL,
    user_id INTEGER,
    is_ai BOOLEAN,
    role VARCHAR(50) NOT NULL,
    side VARCHAR(20),
    model_id VARCHAR(50),
    name VARCHAR(100) NOT NULL,
    joined_at DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(session_id) REFERENCES debate_sessions (id),
    FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE shared_diagram_likes (
    id INTEGER NOT NULL,
    diagram_id VARCHAR(36) NOT NULL,
    user_id INTEGER NOT NULL,
    created_at DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(diagram_id) REFERENCES shared_diagrams (id),
    FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE shared_diagram_comments (
    id INTEGER NOT NULL,
    diagram_id VARCHAR(36) NOT NULL,
    user_id INTEGER NOT NULL,
    content TEXT NOT NULL,
    created_at DATETIME,
    updated_at DATETIME,
    is_active BOOLEAN,
    PRIMARY KEY (id),
    FOREIGN KEY(diagram_id) REFERENCES shared_diagrams (id),
    FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE document_chunks (
    id INTEGER NOT NULL,
    document_id INTEGER NOT NULL,
    chunk_index INTEGER NOT NULL,
    text TEXT NOT NULL,
    start_char INTEGER NOT NULL,
    end_char INTEGER NOT NULL,
    meta_data JSON,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(document_id) REFERENCES knowledge_documents (id) ON DELETE CASCADE
);

CREATE TABLE document_versions (
    id INTEGER NOT NULL,
    document_id INTEGER NOT NULL,
    version_number INTEGER NOT NULL,
    file_path VARCHAR(500) NOT NULL,
    file_hash VARCHAR(64) NOT NULL,
    chunk_count INTEGER NOT NULL,
    change_summary JSON,
    created_by INTEGER,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_document_version UNIQUE (document_id, version_number),
    FOREIGN KEY(document_id) REFERENCES knowledge_documents (id) ON DELETE CASCADE,
    FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL
);

CREATE TABLE query_feedback (
    id INTEGER NOT NULL,
    query_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    space_id INTEGER NOT NULL,
    feedback_type VARCHAR(8) NOT NULL,
    feedback_score INTEGER,
    relevant_chunk_ids JSON,
    irrelevant_chunk_ids JSON,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(query_id) REFERENCES knowledge_queries (id) ON DELETE CASCADE,
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY(space_id) REFERENCES knowledge_spaces (id) ON DELETE CASCADE
);

CREATE TABLE document_relationships (
    id INTEGER NOT NULL,
    source_document_id INTEGER NOT NULL,
    target_document_id INTEGER NOT NULL,
    relationship_type VARCHAR(50) NOT NULL,
    context TEXT,
    confidence FLOAT,
    created_by INTEGER,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_document_relationship UNIQUE (source_document_id, target_document_id, relationship_type),
    FOREIGN KEY(source_document_id) REFERENCES knowledge_documents (id) ON DELETE CASCADE,
    FOREIGN KEY(target_document_id) REFERENCES knowledge_documents (id) ON DELETE CASCADE,
    FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL
);

CREATE TABLE evaluation_results (
    id INTEGER NOT NULL,
    dataset_id INTEGER NOT NULL,
    query_id INTEGER,
    metrics JSON NOT NULL,
    method VARCHAR(50) NOT NULL,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(dataset_id) REFERENCES evaluation_datasets (id) ON DELETE CASCADE,
    FOREIGN KEY(query_id) REFERENCES knowledge_queries (id) ON DELETE SET NULL
);

CREATE TABLE debate_messages (
    id INTEGER NOT NULL,
    session_id VARCHAR(36) NOT NULL,
    participant_id INTEGER NOT NULL,
    content TEXT NOT NULL,
    thinking TEXT,
    stage VARCHAR(50) NOT NULL,
    round_number INTEGER,
    message_type VARCHAR(50) NOT NULL,
    parent_message_id INTEGER,
    audio_url VARCHAR(500),
    created_at DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(session_id) REFERENCES debate_sessions (id),
    FOREIGN KEY(participant_id) REFERENCES debate_participants (id),
    FOREIGN KEY(parent_message_id) REFERENCES debate_messages (id)
);

CREATE TABLE debate_judgments (
    id INTEGER NOT NULL,
    session_id VARCHAR(36) NOT NULL,
    judge_participant_id INTEGER NOT NULL,
    winner_side VARCHAR(20),
    best_debater_id INTEGER,
    scores JSON,
    detailed_analysis TEXT,
    created_at DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(session_id) REFERENCES debate_sessions (id),
    FOREIGN KEY(judge_participant_id) REFERENCES debate_participants (id),
    FOREIGN KEY(best_debater_id) REFERENCES debate_participants (id)
);

CREATE TABLE chunk_attachments (
    id INTEGER NOT NULL,
    chunk_id INTEGER NOT NULL,
    file_name VARCHAR(255) NOT NULL,
    file_path VARCHAR(500) NOT NULL,
    file_type VARCHAR(100) NOT NULL,
    file_size INTEGER NOT NULL,
    attachment_type VARCHAR(50) NOT NULL,
    position INTEGER NOT NULL,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(chunk_id) REFERENCES document_chunks (id) ON DELETE CASCADE
);

CREATE TABLE child_chunks (
    id INTEGER NOT NULL,
    parent_chunk_id INTEGER NOT NULL,
    content TEXT NOT NULL,
    position INTEGER NOT NULL,
    start_char INTEGER NOT NULL,
    end_char INTEGER NOT NULL,
    meta_data JSON,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(parent_chunk_id) REFERENCES document_chunks (id) ON DELETE CASCADE
);
