-- Grain: one row per currency whose minor unit is not 1/100; `places` as in ISO 4217.
SELECT unnest(codes) AS currency, places
FROM (
    VALUES
        (0, ['BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI',
             'VND', 'VUV', 'XAF', 'XOF', 'XPF']),
        (3, ['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND']),
        (4, ['CLF', 'UYW'])
) AS known (places, codes);
