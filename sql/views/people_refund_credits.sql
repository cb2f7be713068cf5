-- Grain: as in `refund_credits`, refunds of people's orders alone (P3).
SELECT * EXCLUDE (is_bot)
FROM refund_credits
WHERE NOT is_bot;
