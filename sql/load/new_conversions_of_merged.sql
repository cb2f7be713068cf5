-- Conversions among the new events of merged devices (A2).
INSERT INTO affected_conversions BY NAME FROM conversions_in('merged_events');
