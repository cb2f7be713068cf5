-- The rank of an event type within one millisecond: causes before their effects (T5).
CREATE OR REPLACE MACRO event_rank(event_type) AS
    CASE event_type
        WHEN 'search' THEN 0
        WHEN 'autocomplete' THEN 0
        WHEN 'collection_view' THEN 0
        WHEN 'block_view' THEN 1
        WHEN 'product_impression' THEN 1
        WHEN 'product_hover' THEN 2
        WHEN 'product_touch' THEN 2
        WHEN 'product_click' THEN 3
        WHEN 'product_view' THEN 4
        WHEN 'add_to_cart' THEN 5
        WHEN 'purchase' THEN 6
        WHEN 'refund' THEN 7
    END;
