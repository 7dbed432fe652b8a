int kv_placeholder;
